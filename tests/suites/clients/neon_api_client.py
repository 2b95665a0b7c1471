"""Neon's Python client, unmodified, through the life of one project.

In: NEON_API_URL, NEON_API_KEY, a step and its argument. Out: one JSON line with what it saw. Its models are strict
(pydantic): a field that is missing or has a value of its own ends it. `role_password_reveal` is left out: the client
sends a POST where the API has a GET.
"""

import json
import os
import sys

from neon_api import NeonAPI
from neon_api.exceptions import NeonAPIError

neon = NeonAPI(os.environ["NEON_API_KEY"], base_url=os.environ["NEON_API_URL"] + "/")


def create(name):
    project = neon.project_create(project={"name": name}).project
    branch = neon.branches(project.id).branches[0]
    return {
        "id": project.id,
        "uri": neon.connection_uri(project.id, "neondb", "neondb_owner").uri,
        "pooled": neon.connection_uri(project.id, "neondb", "neondb_owner", pooled=True).uri,
        "listed": [item.id for item in neon.projects().projects],
        "name": neon.project(project.id).project.name,
        "renamed": neon.project_update(project.id, project={"name": name + "-2"}).project.name,
        "branch": branch.name,
        "roles": [role.name for role in neon.roles(project.id, branch.id).roles],
        "databases": [database.name for database in neon.databases(project.id, branch.id).databases],
        "endpoints": len(neon.endpoints(project.id).endpoints),
        "operations": len(neon.operations(project.id).operations),
        "email": neon.me().email,
    }


def remove(project_id):
    deleted = neon.project_delete(project_id).project.id
    try:
        neon.project(project_id)
    except NeonAPIError as error:
        return {"id": deleted, "error": str(error)}
    return {"id": deleted}


print(json.dumps({"create": create, "delete": remove}[sys.argv[1]](sys.argv[2])))
