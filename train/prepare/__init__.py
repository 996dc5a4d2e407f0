"""`python -m train prepare`: from scraped folders, folders, zips and chapters to a corpus (see train.corpus)."""
