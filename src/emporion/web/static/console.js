// Tells the live parts of a page to come again while somebody looks: `tick` every two seconds, and
// `slow-tick` every ten. What was opened stays open when its part comes again.
(function () {
  "use strict";
  var EVERY_MS = 2000;
  var SLOW = 5;
  var isOn = true;
  var count = 0;

  function tell(name) {
    document.body.dispatchEvent(new CustomEvent(name));
  }

  function tick() {
    if (!isOn || document.hidden) {
      return;
    }
    count += 1;
    tell("tick");
    if (count % SLOW === 0) {
      tell("slow-tick");
    }
  }

  function show(button) {
    button.hidden = false;
    button.setAttribute("aria-pressed", String(isOn));
    button.querySelector("[data-live-said]").textContent = isOn ? "Live" : "Paused";
  }

  document.querySelectorAll("[data-live]").forEach(function (button) {
    show(button);
    button.addEventListener("click", function () {
      isOn = !isOn;
      show(button);
      tick();
    });
  });
  document.addEventListener("htmx:beforeSwap", function (event) {
    var opened = event.detail.target.querySelectorAll("details[open][id]");
    event.detail.target.dataset.opened = Array.from(opened, function (one) {
      return one.id;
    }).join(" ");
  });
  document.addEventListener("htmx:afterSwap", function (event) {
    var opened = event.detail.target.dataset.opened;
    (opened ? opened.split(" ") : []).forEach(function (id) {
      var one = document.getElementById(id);
      if (one) {
        one.open = true;
      }
    });
  });
  document.addEventListener("visibilitychange", tick);
  setInterval(tick, EVERY_MS);
})();
