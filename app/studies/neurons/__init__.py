"""Which neurons say it?"""
