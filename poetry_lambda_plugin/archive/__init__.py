"""The bytes: safe raw access to ZIP archives, and a deterministic writer."""
