-- Ends a counter: no slots any more. ARGV: time.
local _, _, version, shares, opened, leased, _, lenient = struct.unpack(layout, entry[1])
redis.call('HSET', key, 'm', struct.pack(layout, next_end, keep, version + 1, shares, opened, leased, 1, lenient))
return 1
