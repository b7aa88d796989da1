-- Lets users without a seat through for a while. ARGV: time, until when.
local _, _, version, shares, opened, leased, closed, lenient = struct.unpack(layout, entry[1])
local until_ms = tonumber(ARGV[2])
if until_ms <= lenient then return 0 end
redis.call('HSET', key, 'm', struct.pack(layout, next_end, keep, version, shares, opened, leased, closed, until_ms))
return 1
