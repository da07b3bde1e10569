"""How good is an edit?"""
