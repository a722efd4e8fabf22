"""The arithmetic of `mesbatch.admission.claims` as a script of Redis: one atomic step for each operation."""

from __future__ import annotations

SCRIPT = """
-- KEYS[1]: a hash of claims by ticket, each 'token turn principal nbytes holding expires', and the ticket drawn last
-- ARGV: operation, ticket, token, principal, nbytes, permits, max_bytes, max_waiting, lease in ms
local key, operation, ticket, token, principal = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local nbytes, permits, max_bytes, max_waiting, lease = unpack(ARGV, 5)
nbytes, permits, max_bytes, max_waiting, lease =
    tonumber(nbytes), tonumber(permits), tonumber(max_bytes), tonumber(max_waiting), tonumber(lease)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local claims = {}
local fields = redis.call('HGETALL', key)
for i = 1, #fields, 2 do
    if fields[i] ~= 'last' then
        local its_token, turn, its_principal, size, holding, expires =
            string.match(fields[i + 1], '^(%x+) (%d+) (%x+) (%d+) (%d) (%d+)$')
        if tonumber(expires) <= now then
            redis.call('HDEL', key, fields[i])
        else
            table.insert(claims, {ticket = tonumber(fields[i]), turn = tonumber(turn), token = its_token,
                                  principal = its_principal, nbytes = tonumber(size), holding = holding == '1'})
        end
    end
end

local function count()
    local held, size, waiting = 0, 0, 0
    for _, claim in ipairs(claims) do
        if claim.holding then held, size = held + 1, size + claim.nbytes else waiting = waiting + 1 end
    end
    return held, size, waiting
end

local function draw_turn(its_ticket)
    local last = nil
    for _, claim in ipairs(claims) do
        if claim.principal == principal and (not last or claim.turn > last) then last = claim.turn end
    end
    return last and math.max(its_ticket, last + permits + max_waiting) or its_ticket
end

local function comes_before(a, b)
    return a.turn < b.turn or (a.turn == b.turn and a.ticket < b.ticket)
end

local function next_claim()
    local held, size = count()
    local first = nil
    for _, claim in ipairs(claims) do
        if not claim.holding and (not first or comes_before(claim, first)) then first = claim end
    end
    if first and held < permits and size + first.nbytes <= max_bytes then return first end
end

local function write(claim)
    redis.call('HSET', key, string.format('%.0f', claim.ticket), string.format('%s %.0f %s %.0f %d %.0f', claim.token,
        claim.turn, claim.principal, claim.nbytes, claim.holding and 1 or 0, now + lease))
    redis.call('PEXPIRE', key, 10 * lease)
end

local function find()
    for _, claim in ipairs(claims) do
        if claim.token == token and (operation == 'join' or claim.ticket == ticket) then return claim end
    end
end

if operation == 'count' then
    return {count()}
end
local mine = find()
if operation == 'leave' then
    if mine then redis.call('HDEL', key, string.format('%.0f', mine.ticket)) end
    return {mine and 1 or 0, 0}
end
if operation == 'join' and not mine then  -- with a claim already: the client tries again after it lost our answer
    local drawn = redis.call('HINCRBY', key, 'last', 1)
    mine = {ticket = drawn, turn = draw_turn(drawn), token = token, principal = principal, nbytes = nbytes,
            holding = false}
    table.insert(claims, mine)
    local _, _, waiting = count()
    if next_claim() ~= mine and waiting > max_waiting then return {0, 0} end
end
if not mine then return {0, 0} end
if next_claim() == mine then mine.holding = true end
write(mine)
return {mine.ticket, mine.holding and 1 or 0}
"""
"""Answers with {permits, bytes, waiting} to count, else with {ticket or 0, 1 if it holds}."""
