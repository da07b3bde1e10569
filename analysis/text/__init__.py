"""Text as a model reads it: tokens, what stands before an answer, chats, and where a subject is found."""
