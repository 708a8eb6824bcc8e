"""Images, videos, web pages and recordings of lifted clips."""
