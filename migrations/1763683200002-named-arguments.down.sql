-- The functions do what they did before, and the migration before this one drops them.
SELECT 1;
