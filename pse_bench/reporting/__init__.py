"""Pages: results and datasets as one HTML file that opens from a mail attachment, without a network."""
