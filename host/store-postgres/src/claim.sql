-- Claims of many packets, each all or none, in one statement. In: the packets ($1 to $7) in the order
-- of their keys, and their shares ($8 to $11), each with the number of its packet. Out: the packets
-- whose claims are written, with the sequence of the first. A packet that is missing from the answer
-- did not take them, for whatever reason; the caller looks why.
WITH item AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
                         $7::bigint[])
        WITH ORDINALITY AS item (packet, tenant, version, now_ms, shares, amount, first_place, item)
     -- Once for the statement: an error where this session's triggers are silent.
     WHERE hongbao.are_guarded()
), share AS (
    SELECT * FROM unnest($8::bigint[], $9::text[], $10::bigint[], $11::smallint[])
        WITH ORDINALITY AS share (item, user_id, amount, priority, place)
), standing AS MATERIALIZED (
    -- A join that cannot be but a loop over the items: so the rows are locked in the order of their
    -- keys, as everywhere, and no two hosts wait for each other.
    SELECT item.item, item.packet, item.tenant, item.now_ms, item.first_place, locked.claimed_shares + 1 AS first,
           locked.audience, locked.audience_users
      FROM item CROSS JOIN LATERAL (
          -- Found by its key alone: with more conditions, a plan that was made while the table was small
          -- may go by the time of expiry, through all open packets, for ever.
          SELECT claimed_shares, shares - claimed_shares AS left, total - claimed_amount AS remaining,
                 audience, audience_users, version, status, expires_at_ms, packets.xmin AS written_in
            FROM hongbao.packets
           WHERE id = item.packet AND tenant = item.tenant
          OFFSET 0
             FOR UPDATE
      ) AS locked
     WHERE locked.version = item.version AND locked.status = 'open' AND item.now_ms < locked.expires_at_ms
           -- Not after a transaction with a higher number, which the claim before this one then has as its place: whoever
           -- knew the version before it was written, while this statement waited for another packet, is stale. Numbers have
           -- 32 bits here: one that is far above is that of a packet which nobody wrote for billions of transactions.
       AND age(locked.written_in) NOT BETWEEN -1000000 AND -1
       AND CASE sign(locked.left - item.shares)
               WHEN 1 THEN item.amount <= locked.remaining - (locked.left - item.shares)
               WHEN 0 THEN item.amount = locked.remaining
               ELSE false
           END
), refused AS MATERIALIZED (
    SELECT item FROM standing JOIN share USING (item)
     WHERE CASE standing.audience
               WHEN 'everyone' THEN false
               WHEN 'only' THEN share.user_id <> ALL (standing.audience_users)
               ELSE share.user_id = ANY (standing.audience_users)
           END
    UNION ALL
    SELECT item FROM standing JOIN share USING (item) CROSS JOIN LATERAL (
        SELECT FROM hongbao.claims
         WHERE claims.packet = standing.packet AND claims.tenant = standing.tenant
           AND claims.user_id = share.user_id
         LIMIT 1) AS before
), written AS (
    -- Shares of one packet stand next to each other, so their places number them.
    INSERT INTO hongbao.claims (packet, tenant, user_id, sequence, amount, priority, claimed_at_ms, place)
    SELECT standing.packet, standing.tenant, share.user_id,
           standing.first + share.place - standing.first_place, share.amount, share.priority, standing.now_ms,
           -- Asked once for the statement, where the column's default would be for each row.
           (SELECT hongbao.own_place())
      FROM share JOIN standing USING (item)
     WHERE item NOT IN (SELECT item FROM refused)
     ORDER BY share.place
)
SELECT item, first FROM standing WHERE item NOT IN (SELECT item FROM refused)
