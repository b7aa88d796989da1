-- What every script shares. The meta data of a counter is eight doubles, so that reading and
-- writing it is one field: next_end, keep, version, shares, opened, leased, closed, lenient.
local layout = '<dddddddd'
-- How much longer a key lives than it is kept. The caller's clock decides when a counter ends;
-- the server's own only frees the memory of what nobody asked about again.
local margin_ms = 3600000
