// How a page looks: one column that fits a phone, dark where the reader's system is, plain on paper.

extension Page {
    static let style = """
        :root {
          --paper: #ffffff; --ink: #1f2328; --soft: #59636e; --line: #d8dee4; --shade: #f6f8fa; --accent: #0b63c5;
          --bad: #b3261e; --bad-shade: #fdf0ef;
          --keyword: #a3218f; --string: #b4321f; --comment: #5b6b78; --number: #1c48c8; --type: #3f5f9e; --call: #256d6b;
          --attribute: #7a5200;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --paper: #14171a; --ink: #dfe3e7; --soft: #9aa4ae; --line: #343a41; --shade: #1d2125; --accent: #7cb7ff;
            --bad: #ff8f86; --bad-shade: #2c1a19;
            --keyword: #ff7ab8; --string: #ff9d85; --comment: #8d99a5; --number: #d8c37a; --type: #a9c7ff; --call: #7fd6c8;
            --attribute: #e0ad62;
          }
        }
        * { box-sizing: border-box; }
        html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; scroll-behavior: smooth; }
        body {
          margin: 0; background: var(--paper); color: var(--ink);
          font: 1.0625rem/1.65 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
        }
        main { max-width: 63rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
        .text, footer { max-width: 50rem; margin-left: auto; margin-right: auto; }
        h1, h2, h3, h4 { line-height: 1.25; margin: 2.2em 0 0.6em; text-wrap: balance; }
        h1 { font-size: 2rem; }
        section:first-child > h1:first-child { margin-top: 0.5em; }
        h2 { font-size: 1.4rem; padding-bottom: 0.25em; border-bottom: 1px solid var(--line); }
        h3 { font-size: 1.15rem; }
        p, ul, ol, blockquote { margin: 0.9em 0; }
        li { margin: 0.25em 0; }
        a { color: var(--accent); text-underline-offset: 0.15em; }
        blockquote { padding: 0.1em 1em; border-left: 3px solid var(--accent); background: var(--shade); }
        hr { border: 0; border-top: 1px solid var(--line); margin: 2em 0; }
        code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
        code { font-size: 0.88em; background: var(--shade); padding: 0.1em 0.25em; border-radius: 4px; overflow-wrap: anywhere; }
        pre { margin: 0; padding: 0.8em 1em; font-size: 0.8125rem; line-height: 1.5; overflow-x: auto; tab-size: 4; }
        pre, .table {
          /* A shadow at the right edge as long as there is more to scroll to: the first layer moves with the text and
             covers it at the end. */
          --ground: var(--paper);
          background:
            linear-gradient(to left, var(--ground) 40%, transparent) right / 2rem 100% no-repeat local,
            linear-gradient(to left, var(--line), transparent) right / 0.9rem 100% no-repeat scroll, var(--ground);
        }
        pre code { font-size: inherit; background: none; padding: 0; overflow-wrap: normal; }
        pre.code { --ground: var(--shade); }
        .text > pre.code { border: 1px solid var(--line); border-radius: 8px; margin: 1em 0; }
        .math { white-space: nowrap; font-family: "STIX Two Math", Cambria, "Times New Roman", serif; font-style: italic; font-size: 1.08em; }
        sup, sub { font-size: 0.72em; line-height: 0; }
        .table { overflow-x: auto; margin: 1em 0; }
        table { border-collapse: collapse; font-size: 0.94em; }
        th, td { padding: 0.35em 0.8em; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
        th { border-bottom-width: 2px; }
        .right { text-align: right; font-variant-numeric: tabular-nums; }
        .centre { text-align: center; }
        nav { color: var(--soft); font-size: 0.94em; }
        nav summary { cursor: pointer; }
        .cell { margin: 1.3em 0; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
        .cell header {
          display: flex; gap: 1em; justify-content: flex-end; align-items: baseline; padding: 0.3em 1em;
          font-size: 0.8125rem; color: var(--soft); background: var(--shade); border-bottom: 1px solid var(--line);
        }
        .cell .title { margin-right: auto; font-weight: 600; color: var(--ink); }
        .time { white-space: nowrap; font-variant-numeric: tabular-nums; }
        .output { border-top: 1px solid var(--line); }
        .output > pre + pre, .output > figure + pre, .output > .note { border-top: 1px dashed var(--line); }
        .note { margin: 0; padding: 0.5em 1rem; font-size: 0.875rem; color: var(--soft); }
        figure { margin: 0; padding: 0.8em 1em; text-align: center; overflow-x: auto; }
        figure img { max-width: 100%; height: auto; background: #fff; border-radius: 6px; }
        figure:focus img { max-width: none; }
        .failed { border-color: var(--bad); }
        .error { --ground: var(--bad-shade); color: var(--bad); white-space: pre-wrap; overflow-wrap: anywhere; }
        .unrun pre.code { opacity: 0.6; }
        .keyword { color: var(--keyword); } .string { color: var(--string); } .comment { color: var(--comment); }
        .number { color: var(--number); } .type { color: var(--type); } .call { color: var(--call); }
        .attribute { color: var(--attribute); }
        footer { margin-top: 3em; font-size: 0.875rem; color: var(--soft); }
        @media (max-width: 40rem) {
          h1 { font-size: 1.6rem; }
          pre { font-size: 0.75rem; padding: 0.7em 0.8em; }
          figure { padding: 0.5em; }
          th, td { padding: 0.35em 0.5em; }
          .math { white-space: normal; }
        }
        @page { margin: 15mm 12mm; }
        @media print {
          :root { --paper: #fff; --ink: #000; --soft: #444; --line: #bbb; --shade: #f5f5f5; }
          body { font-size: 10.5pt; }
          main, .text { max-width: none; padding: 0; }
          pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 8pt; }
          .cell { overflow: visible; }
          figure, tr, header { break-inside: avoid; }
          header, h2, h3 { break-after: avoid; }
          nav { display: none; }
        }
        """
}
