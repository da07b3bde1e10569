"""Where is a fact kept?"""
