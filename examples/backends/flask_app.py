"""A Flask application whose routes require an API key.

Run it: KEYWRIGHT_URL=... flask --app flask_app run
"""

import os

from flask import Flask, g

from keywright_client import Keywright
from keywright_client.flask import api_key_required

keywright = Keywright(os.environ.get("KEYWRIGHT_URL"), function=os.environ.get("KEYWRIGHT_FUNCTION"))
app = Flask(__name__)


@app.get("/reports")
@api_key_required(keywright, permissions=["analytics:read"])
def reports() -> dict[str, str]:
    """Return the reports of the key's organization."""
    return {"reports of": g.api_key.organization_id, "read with": g.api_key.name}
