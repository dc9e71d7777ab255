// A form that was sent is not sent again by a second click; coming back to the page frees it.
(function () {
  "use strict";

  function buttons(form) {
    return form.querySelectorAll("button[type=submit]");
  }

  document.addEventListener("submit", function (event) {
    if (!event.target.matches("[data-once]")) {
      return;
    }
    if (event.target.dataset.sent) {
      event.preventDefault();
      return;
    }
    event.target.dataset.sent = "yes";
    buttons(event.target).forEach(function (button) {
      button.setAttribute("aria-disabled", "true");
      button.textContent = "Sending…";
    });
  });
  window.addEventListener("pageshow", function (event) {
    if (event.persisted) {
      window.location.reload();
    }
  });
})();
