-- Reads a room. ARGV: the first place of interest, how many events. Answers the places of the first
-- event, of the last that was dropped and of the last, and the events.
local places = redis.call('HMGET', KEYS[2], 'first', 'dropped', 'last')
-- Where the stream alone was evicted, everything was dropped.
if redis.call('EXISTS', KEYS[1]) == 0 then places[2] = places[3] end
return { places[1], places[2], places[3], redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2]) }
