"""`palimpsest bench server`: a room full of people, what strangers may send, and runs that are killed."""
