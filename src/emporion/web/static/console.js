// Tells the live parts of a page to come again, every two seconds while somebody looks.
(function () {
  "use strict";
  var EVERY_MS = 2000;
  var isOn = true;

  function tick() {
    if (isOn && !document.hidden) {
      document.body.dispatchEvent(new CustomEvent("tick"));
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
  document.addEventListener("visibilitychange", tick);
  setInterval(tick, EVERY_MS);
})();
