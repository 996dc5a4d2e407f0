"""Orders the steps of a chapter: read, judge, paint, encode, journal, put together. Holds no pixels' maths."""
