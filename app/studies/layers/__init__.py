"""Which layer should it be?"""
