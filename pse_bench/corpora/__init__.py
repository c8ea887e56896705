"""What clips exist: one reader a corpus, each giving rows of a manifest."""
