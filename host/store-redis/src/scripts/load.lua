-- Reads a counter. ARGV: time, fields.
return entry
