-- Sources that are asked: files, databases, mailboxes.
SELECT 1;
