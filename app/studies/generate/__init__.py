"""How does it go on?"""
