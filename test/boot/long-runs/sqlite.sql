PRAGMA page_size = 4096;
PRAGMA journal_mode = DELETE;
CREATE TABLE part (id INTEGER PRIMARY KEY, name TEXT NOT NULL, weight REAL, kind INTEGER);
CREATE TABLE kind (id INTEGER PRIMARY KEY, title TEXT UNIQUE);
CREATE TABLE stock (part INTEGER REFERENCES part (id), place TEXT, count INTEGER, PRIMARY KEY (part, place)) WITHOUT ROWID;
CREATE TABLE log (part INTEGER, before INTEGER, after INTEGER);
CREATE TRIGGER counted AFTER UPDATE OF count ON stock BEGIN
  INSERT INTO log VALUES (new.part, old.count, new.count);
END;

BEGIN;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) INSERT INTO kind SELECT i, printf('kind %02d', i * 7 % 41) FROM n;
WITH RECURSIVE n (i, s) AS (SELECT 1, 42 UNION ALL SELECT i + 1, (s * 1103515245 + 12345) & 2147483647 FROM n WHERE i < 12000)
INSERT INTO part SELECT i, printf('part-%08x', s), round((s % 100000) / 7.0, 6), s / 65536 % 40 + 1 FROM n;
INSERT INTO stock SELECT id, char(65 + id % 5), id * 31 % 1000 FROM part;
INSERT INTO stock SELECT id, char(70 + id % 3), id * 17 % 500 FROM part WHERE id % 3 = 0;
COMMIT;

CREATE INDEX part_name ON part (name);
CREATE INDEX part_kind ON part (kind, weight);
SELECT count(*), sum(kind), printf('%.10g', sum(weight)), min(name), max(name) FROM part;
SELECT kind.title, count(*), printf('%.12g', avg(part.weight)), sum(stock.count)
FROM part JOIN kind ON kind.id = part.kind JOIN stock ON stock.part = part.id GROUP BY kind.id ORDER BY 4 DESC LIMIT 8;
SELECT a.name, b.name, a.weight FROM part a JOIN part b ON a.weight = b.weight AND a.id < b.id ORDER BY a.name, b.name LIMIT 6;

UPDATE stock SET count = count * 3 / 2 WHERE part % 7 = 0;
UPDATE part SET name = upper(name), weight = -weight WHERE kind IN (SELECT id FROM kind WHERE title LIKE '%3');
DELETE FROM part WHERE id % 11 = 5;
SELECT count(*), sum(after - before) FROM log;
BEGIN;
DELETE FROM part;
UPDATE stock SET count = 0;
ROLLBACK;
SELECT count(*), printf('%.10g', total(weight)) FROM part;

SELECT id, weight, rank() OVER w, printf('%.8g', sum(weight) OVER w), lag(name, 2, '-') OVER w
FROM part WHERE kind = 9 WINDOW w AS (ORDER BY weight DESC, id) LIMIT 10;
CREATE VIRTUAL TABLE words USING fts5 (text);
INSERT INTO words SELECT part.name || ' ' || title || ' ' || place FROM part JOIN kind ON kind = kind.id JOIN stock ON part = part.id WHERE part.id < 2500;
SELECT count(*) FROM words WHERE words MATCH 'kind AND (a OR f) NOT 13';
SELECT json_group_array(json_object('title', title, 'root', printf('%.15g', sqrt(id)))) FROM kind WHERE id < 9;
SELECT printf('%.15g %.15g %.15g %.15g', exp(1.5), ln(7), sin(100), pow(2.5, 3.25)), 9223372036854775807 / 7, -17 % 5, 1e308 * 10, abs(-0.1), hex(x'00ff'), quote(1.0 / 3);
REINDEX;
PRAGMA integrity_check;
SELECT count(*) FROM pragma_foreign_key_check;
VACUUM;
PRAGMA quick_check;
SELECT type, name, tbl_name FROM sqlite_schema WHERE name NOT LIKE 'words%' ORDER BY name;
