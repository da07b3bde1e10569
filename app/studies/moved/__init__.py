"""Who else moved?"""
