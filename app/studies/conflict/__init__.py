"""Memory or the page?"""
