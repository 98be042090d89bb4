-- Evidence between identifiers, links between people, and the review queue.
SELECT 1;
