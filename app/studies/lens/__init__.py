"""What would each state say?"""
