-- engine_runs.state may be packed from here on, see pack.go: a program that cannot unpack it stays off. No table changes.
SELECT 1;
