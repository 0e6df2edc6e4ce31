// What is asked of natkit-web.

export const session = { user: "", csrf: "", read_only: false, version: "" };

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function read(response) {
  if (response.status === 401) {
    location.href = "/login";
    throw new Refused(401, "the session is over");
  }
  const text = await response.text();
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    value = { error: { message: text.trim() || response.statusText } };
  }
  if (!response.ok) throw new Refused(response.status, value.error ? value.error.message : response.statusText);
  return value;
}

export async function get(path, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  return read(await fetch(query ? `${path}?${query}` : path, { credentials: "same-origin" }));
}

export async function post(path, body) {
  return read(await fetch(path, {
    method: "POST",
    credentials: "same-origin",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": session.csrf },
    body: JSON.stringify(body),
  }));
}

export async function log_in() {
  Object.assign(session, await get("/api/session"));
}
