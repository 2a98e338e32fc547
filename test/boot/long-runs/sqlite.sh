# A database in a file: inserts, joins, updates, indexes, full text, rollback, and sqlite's own check of what it left.
rm -f /tmp/rows.db
sqlite3 -batch /tmp/rows.db </rows/sqlite.sql
sha256sum </tmp/rows.db | cut -d' ' -f1
rm -f /tmp/rows.db
