// What pages gain where scripts run: the viewer's zone, and live parts. Everything works without.
"use strict";

// The zone in which times are shown; the next page has it.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.split("; ").includes(`homing_zone=${zone}`)) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `homing_zone=${zone}; path=/; max-age=31536000; samesite=lax${secure}`;
}

// Live parts: elements with an id and data-live. When the server says that something changed, the page is asked for
// again and those parts of it are exchanged, unless somebody is at work in one.
const parts = () => document.querySelectorAll("[data-live]");

function isBusy(part) {
  return part.contains(document.activeElement) || part.querySelector("details[open], :hover > .slot") !== null;
}

async function refresh() {
  const answer = await fetch(location.href, { headers: { "x-live": "1" } });
  if (!answer.ok || answer.redirected) return answer.redirected && location.reload();
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of parts()) {
    const other = fresh.getElementById(part.id);
    if (other && !isBusy(part) && other.innerHTML !== part.innerHTML) part.replaceChildren(...other.childNodes);
  }
}

if (parts().length) {
  let stream = null;
  let isAsking = false;
  const watch = () => {
    if (document.hidden) {
      stream?.close();
      stream = null;
    } else if (!stream) {
      stream = new EventSource("/live");
      stream.addEventListener("changed", async () => {
        if (isAsking) return;
        isAsking = true;
        try {
          await refresh();
        } catch {
          // The next change asks again.
        } finally {
          isAsking = false;
        }
      });
    }
  };
  document.addEventListener("visibilitychange", watch);
  watch();
}

// A form with data-preview: as its text is written, the server says what it would become. Its button does the same.
for (const form of document.querySelectorAll("form[data-preview]")) {
  let timer = null;
  let asked = 0;
  const preview = async () => {
    const number = (asked += 1);
    const body = new URLSearchParams(new FormData(form));
    body.set("do", "preview");
    const answer = await fetch(location.pathname, { method: "POST", body });
    if (!answer.ok || number !== asked) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(form.dataset.preview);
    if (fresh) document.getElementById(form.dataset.preview).replaceChildren(...fresh.childNodes);
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => preview().catch(() => {}), 250);
  });
}

// Buttons that copy a text, where the browser lets a page do so.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = button.dataset.copied;
    setTimeout(() => (button.textContent = label), 2000);
  });
}
