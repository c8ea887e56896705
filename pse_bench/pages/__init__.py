"""Pages: results and datasets as one self-contained HTML file that opens from a mail attachment, without a network."""
