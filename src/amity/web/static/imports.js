// Dropping a file and seeing it go up. Without it the form works as any form does.
(() => {
  "use strict";
  const form = document.getElementById("upload");
  if (!form) return;
  const zone = form.querySelector("[data-drop]");
  const input = zone.querySelector("input[type=file]");
  const name = zone.querySelector("[data-drop-name]");
  const bar = form.querySelector("[data-upload-progress]");
  const idle = name.textContent;

  const show = () => {
    const file = input.files[0];
    name.textContent = file ? `${file.name} (${(file.size / 1048576).toFixed(1)} MiB)` : idle;
  };
  input.addEventListener("change", show);
  for (const type of ["dragenter", "dragover", "dragleave", "drop"])
    zone.addEventListener(type, (event) => {
      event.preventDefault();
      zone.classList.toggle("over", type === "dragenter" || type === "dragover");
      if (type === "drop" && event.dataTransfer.files.length) {
        input.files = event.dataTransfer.files;
        show();
      }
    });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const request = new XMLHttpRequest();
    bar.hidden = false;
    request.upload.addEventListener("progress", (step) => {
      if (step.lengthComputable) bar.value = step.loaded / step.total;
    });
    request.addEventListener("load", () => {
      if (request.responseURL.includes("/imports/new/")) return location.assign(request.responseURL);
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      const error = page.getElementById("upload-error");
      bar.hidden = true;
      document.getElementById("upload-error")?.remove();
      if (error) form.querySelector("header").after(error);
      else location.reload();
    });
    request.addEventListener("error", () => {
      bar.hidden = true;
      document.dispatchEvent(new CustomEvent("toast", { detail: { text: "The file did not arrive. Try again.", level: "error" } }));
    });
    request.open("POST", form.action);
    request.send(new FormData(form));
  });
})();
