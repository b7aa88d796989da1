"""Drives a service by the client that openapi-python-client made of its specification."""

import sys
import uuid

from hongbao import AuthenticatedClient
from hongbao.api.events import tenant_events
from hongbao.api.keys import create_key
from hongbao.api.packets import details, grab, open_, send
from hongbao.api.tenants import create_tenant
from hongbao.api.wallets import cancel_withdrawal, complete_withdrawal, fund, held_withdrawals, statement, wallet
from hongbao.api.wallets import withdraw
from hongbao.models import Funds, NewPacket, NewTenant, NewTenantKey, NewWithdrawal, Outcome, Problem, Scope, Tap

url, operator = sys.argv[1:]


def client(key):
    return AuthenticatedClient(base_url=url, token=key, raise_on_unexpected_status=True)


def key():
    return str(uuid.uuid4())


service = client(operator)
made = create_tenant.sync(client=service, body=NewTenant(tenant="acme"), idempotency_key=key())
assert made.tenant == "acme" and "ledger" in made.grants, made
body = NewTenantKey(label="platform", scopes=[Scope.MEMBER, Scope.FUND, Scope.WITHDRAW])
acme = client(create_key.sync("acme", client=service, body=body, idempotency_key=key()).key)

# Refused, topped up, sent with the same key, once.
once = key()
packet = NewPacket(room="family", sender="alice", total=1000, shares=2, greeting="新年快乐")
refused = send.sync(client=acme, body=packet, idempotency_key=once)
assert isinstance(refused, Problem) and refused.code == "insufficient-funds", refused
assert fund.sync("alice", client=acme, body=Funds(amount=5000), idempotency_key=key()).balance == 5000
sent = send.sync(client=acme, body=packet, idempotency_key=once)
assert send.sync(client=acme, body=packet, idempotency_key=once).packet == sent.packet

total = 0
for user in ["bob", "carol"]:
    tap = Tap(user=user)
    assert grab.sync(sent.packet, client=acme, body=tap).outcome == Outcome.ADMITTED
    share = open_.sync(sent.packet, client=acme, body=tap)
    assert share.outcome == Outcome.OPENED
    total += share.amount
assert total == 1000
shown = details.sync(sent.packet, client=acme)
assert shown.state.value == "finished" and len(shown.claims) == 2, shown

# Money leaves in two steps; said again, each is the same.
out = NewWithdrawal(amount=700, reference="payout 7")
paid = withdraw.sync("alice", client=acme, body=out, idempotency_key=key())
back = withdraw.sync("alice", client=acme, body=out, idempotency_key=key())
assert (paid.withdrawal.state.value, back.wallet.balance) == ("held", 2600), (paid, back)
assert [one.id for one in held_withdrawals.sync(client=acme).items] == [paid.withdrawal.id, back.withdrawal.id]
for _ in range(2):
    assert complete_withdrawal.sync("alice", str(paid.withdrawal.id), client=acme).state.value == "completed"
    assert cancel_withdrawal.sync("alice", str(back.withdrawal.id), client=acme).state.value == "cancelled"
refused = cancel_withdrawal.sync("alice", str(paid.withdrawal.id), client=acme)
assert isinstance(refused, Problem) and refused.code == "withdrawal-completed", refused

page = statement.sync("alice", client=acme)
assert [entry.amount for entry in page.items] == [700, -700, -700, -1000, 5000], page
assert wallet.sync("alice", client=acme).balance == sum(entry.amount for entry in page.items)
told = tenant_events.sync(client=acme, limit=4)
assert [event.kind for event in told.items] == ["wallet.funded", "packet.sent", "share.claimed", "share.claimed"], told
assert tenant_events.sync(client=acme, after=told.items[0].id, limit=3).items == told.items[1:], told
print("statement of alice adds up")
