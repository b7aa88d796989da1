"""Calls every operation of a service, well and wrongly, and holds each answer, each event and each example
against the schema that the specification declares for it."""

import http.client
import json
import sys
import threading
import time
import urllib.parse
import uuid

from openapi_schema_validator import OAS31Validator

url, operator = sys.argv[1:]
host = urllib.parse.urlsplit(url).netloc
seen = set()


def ask(method, path, key=None, body=None, headers=None):
    line = http.client.HTTPConnection(host, timeout=60)
    headers = dict(headers or {})
    if key:
        headers["Authorization"] = f"Bearer {key}"
    if isinstance(body, (dict, list)):
        headers.setdefault("Content-Type", "application/json")
        body = json.dumps(body)
    line.request(method, path, body, headers)
    answer = line.getresponse()
    return answer.status, answer.headers, answer.read()


spec = json.loads(ask("GET", "/openapi.json")[2])
operations = {
    operation["operationId"]: (method, path, operation)
    for path, item in spec["paths"].items()
    for method, operation in item.items()
}


def fits(value, schema, what):
    whole = {**schema, "components": spec["components"]}
    errors = list(OAS31Validator(whole).iter_errors(value))
    assert not errors, f"{what}: {errors[0].message} in {json.dumps(value)[:400]}"


def call(name, token=None, body=None, query="", headers=None, expect=None, **path):
    """Calls an operation; its answer is one that the specification knows."""
    method, template, operation = operations[name]
    target = template.format(**{part: urllib.parse.quote(value, safe="") for part, value in path.items()})
    headers = dict(headers or {})
    declared = {parameter["name"] for parameter in operation.get("parameters", [])}
    if "Idempotency-Key" in declared:
        headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
    status, told, content = ask(method.upper(), target + query, token, body, headers)
    what = f"{name} {status}"
    assert expect is None or status == expect, f"{what}: {content}"
    response = operation["responses"].get(str(status))
    assert response is not None, f"{what} is not in the specification: {content}"
    kind = told["Content-Type"].split(";")[0]
    assert kind in response["content"], f"{what}: {kind} is not in the specification"
    seen.add(name)
    if not kind.endswith("json"):
        return content.decode()
    value = json.loads(content)
    fits(value, response["content"][kind]["schema"], what)
    if status >= 400:
        assert f"`{value['code']}`" in response["description"], f"{what} {value['code']}: {response['description']}"
    return value


class Stream(threading.Thread):
    """Reads events until one of this name came."""

    def __init__(self, key, room, until, after=None):
        super().__init__(daemon=True)
        self.names, self.until, self.error = [], until, None
        headers = {"Authorization": f"Bearer {key}"} | ({"Last-Event-ID": after} if after else {})
        self.line = http.client.HTTPConnection(host, timeout=60)
        self.line.request("GET", f"/v1/rooms/{room}/events", headers=headers)
        self.answer = self.line.getresponse()
        response = operations["events"][2]["responses"]["200"]
        self.schema = response["content"]["text/event-stream"]["schema"]
        seen.add("events")
        self.start()

    def run(self):
        try:
            name = None
            for line in self.answer:
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    fits(json.loads(value), self.schema, f"the event {name}")
                    self.names.append(name)
                    if name == self.until:
                        return
            raise AssertionError(f"the stream ended before {self.until}")
        except Exception as error:
            self.error = error

    def told(self):
        self.join(60)
        assert self.error is None and self.until in self.names, (self.error, self.names)
        return set(self.names)


def check_operations():
    call("health", expect=200), call("ready", expect=200), call("metrics", expect=200)
    call("tenants", operator, expect=200), call("tenants", expect=401), call("tenants", "hb_x", expect=401)
    call("create_tenant", operator, {"tenant": "acme"}, expect=201)
    call("create_tenant", operator, {"tenant": "acme"}, expect=409)
    call("create_tenant", operator, {"tenant": ".."}, expect=400)
    call("create_tenant", operator, [], expect=400)
    call("create_tenant", operator, "{}", expect=415)
    call("tenant", operator, tenant="acme", expect=200), call("tenant", operator, tenant="none", expect=404)
    limits = {"requests_per_second": 100_000}
    call("configure", operator, {"limits": limits}, tenant="acme", expect=200)
    call("configure", operator, {"grants": []}, tenant="acme", expect=422)
    call("configure", operator, {"grants": ["net"]}, tenant="acme", expect=400)
    made = {}
    for scope in ["member", "fund", "withdraw", "admin"]:
        body = {"label": scope, "scopes": [scope], "expires_at_ms": 4_000_000_000_000}
        made[scope] = call("create_key", operator, body, tenant="acme", expect=201)["key"]
    spare = call("create_key", operator, {"label": "x", "scopes": ["member"]}, tenant="acme", expect=201)["id"]
    call("keys", made["admin"], query="?limit=2", tenant="acme", expect=200)
    call("revoke_key", made["admin"], tenant="acme", key=spare, expect=200)
    call("revoke_key", made["admin"], tenant="acme", key="0" * 16, expect=404)
    call("keys", made["member"], tenant="acme", expect=403)
    other = call("create_operator_key", operator, {"label": "spare"}, expect=201)["id"]
    call("operator_keys", operator, expect=200), call("revoke_operator_key", operator, key=other, expect=200)
    call("plugins", made["admin"], tenant="acme", expect=200)
    call("install", made["admin"], b"no plugin", tenant="acme", expect=422)
    call("install", made["admin"], b"\x1f\x8b", headers={"Content-Encoding": "gzip"}, tenant="acme", expect=415)
    call("rollback", made["admin"], tenant="acme", expect=409)
    call("upgrade", made["admin"], {"digest": "0" * 64}, tenant="acme", expect=404)
    call("upgrade", made["admin"], {}, tenant="acme", expect=200)
    call("remove_plugin", made["admin"], tenant="acme", digest="0" * 64, expect=404)
    call("suspend", made["admin"], tenant="acme", expect=200)
    call("wallet", made["member"], user="alice", expect=503)
    call("grab", made["member"], {"user": "bob"}, packet=str(uuid.uuid4()), expect=503)
    call("resume", made["admin"], tenant="acme", expect=200)
    return made


def check_packets(keys):
    member, room = keys["member"], "family"
    stream = Stream(member, room, until="expired")
    order = {"room": room, "sender": "alice", "total": 1000, "shares": 2}
    once = {"Idempotency-Key": "a key"}
    call("send", member, order, headers=once, expect=422)
    call("fund", keys["fund"], {"amount": 5000}, user="alice", expect=201)
    call("fund", keys["fund"], {"amount": 0}, user="alice", expect=400)
    packet = call("send", member, order, headers=once, expect=201)["packet"]
    call("send", member, order | {"total": 999}, headers=once, expect=422)
    call("send", member, order | {"shares": 0}, expect=400)
    for name in ["grab", "open", "grab_and_open"]:
        for user in ["bob", "carol", "dave"]:
            call(name, member, {"user": user}, packet=packet, expect=200)
            time.sleep(0.3)  # A room is told of changes that come together as of one.
        call(name, member, {"user": ".."}, packet=packet, expect=400)
        call(name, member, {"user": "bob"}, packet="none", expect=404)
    call("details", member, packet=packet, expect=200), call("details", member, packet="none", expect=404)
    call("room_packets", member, query="?limit=1", room=room, expect=200)
    call("room_packets", member, query="?limit=0", room=room, expect=400)
    call("room_packets", member, query="?before=", room=room, expect=200)
    call("sent", member, user="alice", expect=200), call("received", member, user="bob", expect=200)
    call("statement", member, user="alice", expect=200), call("statement", member, user="bob", expect=200)
    for number, text in enumerate(["hi", "/hongbao 5 2", "/红包", "/hongbao x", "/hongbao best"]):
        body = {"id": f"m{number}", "sender": "alice", "text": text, "language": "zh-CN"}
        call("say", member, body, room=room, expect=200)
    call("say", member, {"id": "m", "sender": "alice", "text": ""}, room=room, expect=400)
    for action in ["show", "grab", "open", "details", "fly"]:
        call("press", member, {"user": "bob"}, packet=packet, action=action, expect=200)
    call("send", member, order | {"expires_in_ms": 1}, expect=201)
    assert stream.told() >= {"sent", "progress", "finished", "message", "expired"}, stream.names
    check_withdrawals(keys)
    check_money_events(member)
    check_webhooks(keys)
    call("audit", keys["admin"], tenant="acme", expect=200)
    call("reconcile", keys["admin"], {"repair": True}, tenant="acme", expect=200)
    call("log", keys["admin"], tenant="acme", expect=200), call("service_log", operator, expect=200)


def check_withdrawals(keys):
    out, once = keys["withdraw"], {"Idempotency-Key": "out"}
    body = {"amount": 100, "reference": "payout 7"}
    ids = [call("withdraw", out, body, user="alice", expect=201)["withdrawal"]["id"] for _ in range(3)]
    call("withdraw", out, body, headers=once, user="alice", expect=201)
    call("withdraw", out, body | {"amount": 101}, headers=once, user="alice", expect=422)
    call("withdraw", out, {"amount": 0}, user="alice", expect=400)
    call("withdraw", out, {"amount": 1_000_000}, user="alice", expect=422)
    call("withdraw", keys["member"], body, user="alice", expect=403)
    for name, other in [("complete_withdrawal", "cancel_withdrawal"), ("cancel_withdrawal", "complete_withdrawal")]:
        withdrawal = ids.pop()
        call(name, out, user="alice", withdrawal=withdrawal, expect=200)
        call(name, out, user="alice", withdrawal=withdrawal, expect=200)
        call(other, out, user="alice", withdrawal=withdrawal, expect=409)
        call(name, out, user="bob", withdrawal=withdrawal, expect=404)
        call("withdrawal", keys["member"], user="alice", withdrawal=withdrawal, expect=200)
    call("withdrawal", out, user="alice", withdrawal="none", expect=404)
    call("withdrawals", keys["member"], query="?limit=1", user="alice", expect=200)
    call("withdrawals", keys["fund"], user="alice", expect=403)
    call("held_withdrawals", out, query="?state=held&limit=1", expect=200)
    call("held_withdrawals", out, query="?state=gone", expect=400)
    call("statement", keys["member"], user="alice", expect=200)


def check_money_events(member):
    page = call("tenant_events", member, query="?limit=2", expect=200)
    call("tenant_events", member, query=f"?after={page['next']}&kinds=share.claimed,withdrawal.held", expect=200)
    call("tenant_events", member, query="?after=1-a1-00000000", expect=410)
    call("tenant_events", member, query="?after=x", expect=400)
    call("tenant_events", member, query="?kinds=none", expect=400)
    call("tenant_events", operator, expect=403)


def check_webhooks(keys):
    admin, once = keys["admin"], {"Idempotency-Key": "hook"}
    # A name that nobody can have: whatever is sent there fails.
    body = {"url": "https://receiver.invalid/hongbao", "kinds": ["wallet.funded"]}
    hook = call("create_webhook", admin, body, headers=once, tenant="acme", expect=201)["id"]
    call("create_webhook", admin, body | {"kinds": []}, headers=once, tenant="acme", expect=422)
    call("create_webhook", admin, {"url": "https://127.0.0.1/"}, tenant="acme", expect=422)
    call("create_webhook", admin, {"url": "none"}, tenant="acme", expect=422)
    call("create_webhook", admin, {"url": 7}, tenant="acme", expect=400)
    call("create_webhook", keys["member"], body, tenant="acme", expect=403)
    call("fund", keys["fund"], {"amount": 1}, user="alice", expect=201)
    call("test_webhook", admin, tenant="acme", webhook=hook, expect=200)
    for _ in range(100):
        if call("webhook", admin, tenant="acme", webhook=hook, expect=200)["waiting"]:
            break
        time.sleep(0.1)
    assert call("webhook_failures", admin, tenant="acme", webhook=hook, expect=200)["items"]
    call("webhook_dead_letters", admin, query="?limit=1", tenant="acme", webhook=hook, expect=200)
    call("replay_webhook", admin, {"from_ms": 0, "to_ms": 1}, tenant="acme", webhook=hook, expect=200)
    call("replay_webhook", admin, {"from_ms": 1, "to_ms": 0}, tenant="acme", webhook=hook, expect=400)
    call("rotate_webhook", admin, {}, tenant="acme", webhook=hook, expect=200)
    call("change_webhook", admin, {"is_disabled": True}, tenant="acme", webhook=hook, expect=200)
    call("change_webhook", admin, {"kinds": ["none"]}, tenant="acme", webhook=hook, expect=400)
    call("webhooks", admin, tenant="acme", expect=200)
    call("remove_webhook", admin, tenant="acme", webhook=hook, expect=200)
    call("remove_webhook", admin, tenant="acme", webhook=hook, expect=404)


def check_gap(keys):
    """More messages than a room keeps: who comes back from before them is told."""
    first = Stream(keys["member"], "busy", until="message")
    for number in range(600):
        body = {"id": f"{number}", "sender": f"user {number % 100}", "text": "hi"}
        call("say", keys["member"], body, room="busy", expect=200)
    first.told()
    assert "gap" in Stream(keys["member"], "busy", until="message", after="1-0").told()


def check_examples(node, at="#"):
    """Schemas with an example fit it."""
    if isinstance(node, dict):
        for example in [node["example"]] if "example" in node and "type" in node else node.get("examples", []):
            fits(example, node, at)
        for name, child in node.items():
            check_examples(child, f"{at}/{name}")
    elif isinstance(node, list):
        for place, child in enumerate(node):
            check_examples(child, f"{at}/{place}")


def check_links():
    """Each link leads to an operation, by parameters that it has."""
    count = 0
    for name, (_, _, operation) in operations.items():
        for response in operation["responses"].values():
            for link in response.get("links", {}).values():
                target = operations[link["operationId"]][2]
                declared = {parameter["name"] for parameter in target.get("parameters", [])}
                assert set(link.get("parameters", {})) <= declared, (name, link)
                count += 1
    assert count > 30, count
    tags = {tag["name"] for tag in spec["tags"]}
    assert all(set(operation["tags"]) <= tags for _, _, operation in operations.values())
    assert len(operations) == sum(len(item) for item in spec["paths"].values()), "ids of operations are unique"


check_links()
check_examples(spec["components"])
keys = check_operations()
check_packets(keys)
check_gap(keys)
assert seen == set(operations), set(operations) - seen
print(f"{len(seen)} operations: answers fit their schemas")
