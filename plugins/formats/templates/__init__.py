"""Chat templates: run without trusting them, understood to the character, tried before a build begins."""
