// Programs that try to break the library: `swift run -c release torture COMMAND [flags]`; without a command, the help.
import ExampleSupport
import Foundation

let help = """
    torture: tries to break the library.

    Commands (each with --help):
      properties   random programs: values, gradients and second derivatives against an independent reference

    Exit status 0: no finding; 1: findings; 2: usage.
    """

run("torture") {
    var words = Array(CommandLine.arguments.dropFirst())
    let command = words.isEmpty ? "--help" : words.removeFirst()
    switch command {
    case "--help": print(help)
    case "properties":
        let arguments = try Arguments(words, flags: Properties.flags)
        if arguments.has("--help") {
            print(Arguments.help("torture properties: runs random programs.", flags: Properties.flags, examples: [
                "swift run -c release torture properties",
                "swift run -c release torture properties --seed 4711 --programs 1 --print",
            ]))
        } else {
            exit(try Properties.run(arguments) ? 0 : 1)
        }
    default: throw Arguments.UsageError("there is no command '\(command)' (--help lists all)")
    }
}
