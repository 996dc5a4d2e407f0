"""Fetch pictures by tag from a server with Danbooru's posts API, at its pace, into a folder that `prepare` reads."""
