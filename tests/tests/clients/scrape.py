"""Makes tenants with names that break careless labels, and reads the metrics with Prometheus' own client."""

import json
import sys
import urllib.request
import uuid

from prometheus_client.openmetrics.parser import text_string_to_metric_families

url, operator = sys.argv[1:]
NAMES = ['Bob"s shop', "a\\b", "\\", "\\n", 'x",tenant="acme', '"', "a{b}", "a,b=c", "# EOF", "微信 🧧", "a\u2028b"]


def make(name):
    headers = {"Authorization": f"Bearer {operator}", "Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
    body = json.dumps({"tenant": name}).encode()
    request = urllib.request.Request(f"{url}/v1/tenants", body, headers)
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["tenant"] == name


for name in NAMES:
    make(name)
with urllib.request.urlopen(f"{url}/metrics") as answer:
    text = answer.read().decode()
families = list(text_string_to_metric_families(text))
samples = [sample for family in families for sample in family.samples]
tenants = {sample.labels["tenant"] for sample in samples if "tenant" in sample.labels}
assert set(NAMES) <= tenants, set(NAMES) - tenants
assert tenants <= set(NAMES) | {"demo", "_other"}, tenants
print(f"{len(samples)} samples; every tenant is there by its name")
