"""How far does an edit reach?"""
