"""Where does it look now?"""
