// What a page gains where JavaScript runs: the reader's own times, parts that follow what happens, a player that follows
// the words. Everything can be read and done without it.
"use strict";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const near = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.title = time.dateTime;
    time.textContent = near.format(at);
  }
}

// Parts marked data-live are taken anew from the same address: every ten seconds, or as often as they say.
function follow() {
  const parts = [...document.querySelectorAll("[data-live]")];
  if (parts.length === 0) return;
  const often = Math.min(...parts.map((part) => Number(part.dataset.live) || 10));
  const busy = (part) => part.contains(document.activeElement) || part.querySelector("details[open]");
  setTimeout(async function again() {
    if (!document.hidden) {
      try {
        const answer = await fetch(location.href, { headers: { accept: "text/html" } });
        // Signed out meanwhile: the sign-in page says so at the next click.
        if (!answer.ok || answer.redirected) return;
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const part of document.querySelectorAll("[data-live]")) {
          const now = fresh.getElementById(part.id);
          if (!now || busy(part)) continue;
          localTimes(now);
          if (part.innerHTML !== now.innerHTML) part.replaceChildren(...now.childNodes);
          if (!now.hasAttribute("data-live")) part.removeAttribute("data-live");
        }
      } catch { /* The network is away: the next turn tries again. */ }
    }
    if (document.querySelector("[data-live]")) setTimeout(again, often * 1000);
  }, often * 1000);
}

function player() {
  const audio = document.getElementById("player");
  const turns = [...document.querySelectorAll("#talk li[data-at]")];
  if (!audio || turns.length === 0) return;
  for (const turn of turns) {
    const shown = turn.querySelector(".at");
    if (!shown) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "at";
    button.textContent = shown.textContent;
    button.setAttribute("aria-label", `Play from ${shown.textContent}`);
    button.addEventListener("click", () => {
      audio.currentTime = Number(turn.dataset.at);
      audio.play();
    });
    shown.replaceWith(button);
  }
  audio.addEventListener("timeupdate", () => {
    const now = turns.filter((turn) => Number(turn.dataset.at) <= audio.currentTime + 0.05).pop();
    for (const turn of turns) {
      const is = turn === now;
      if (turn.classList.contains("now") === is) continue;
      turn.classList.toggle("now", is);
      if (is) turn.setAttribute("aria-current", "true"); else turn.removeAttribute("aria-current");
    }
  });
  audio.addEventListener("error", () => {
    const told = document.createElement("p");
    told.className = "notice bad";
    told.setAttribute("role", "alert");
    told.textContent = "The recording cannot be played: it is not in the bucket any more, or the bucket does not answer.";
    audio.after(told);
  }, { once: true });
}

localTimes(document);
const shown = document.getElementById("zone");
if (shown) shown.textContent = zone;
follow();
player();
