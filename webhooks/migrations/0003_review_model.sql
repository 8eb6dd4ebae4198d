-- The model that a review drew by weight: a second run draws the same, and comparisons need to know it.
ALTER TABLE reviews ADD COLUMN model text;
