CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, town INTEGER, score REAL);
CREATE TABLE town (id INTEGER PRIMARY KEY, name TEXT);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
INSERT INTO town SELECT i, 'town ' || (i * 7919 % 500) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
INSERT INTO person SELECT i, 'person ' || (i * 104729 % 60000), i * 31 % 500 + 1, i * 0.25 FROM n;
COMMIT;
CREATE INDEX person_name ON person (name);
SELECT count(*), sum(score), max(name) FROM person;
SELECT town.name, count(*), avg(score) FROM person JOIN town ON town.id = person.town GROUP BY town.id ORDER BY 2 DESC, 1 LIMIT 10;
SELECT count(*) FROM person WHERE name LIKE '%77%';
UPDATE person SET score = score * 2 WHERE town BETWEEN 10 AND 90;
DELETE FROM person WHERE id % 7 = 3;
SELECT sum(a.score) FROM person a JOIN person b ON b.name = 'person ' || a.id WHERE a.town < 250;
SELECT count(DISTINCT substr(name, 8, 3)) FROM person;
