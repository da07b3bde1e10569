"""An edit asked about in many forms."""
