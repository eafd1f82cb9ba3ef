"""The sections of Translate's panel; they need Qt."""
