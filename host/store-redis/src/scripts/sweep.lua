-- Ends what has ended. ARGV: time. `gone` is the number of leases that had ended before, since
-- they count even where the counter itself is past its time.
return gone
