# What `make` alone prints: targets that say `##group What they do`, by group, the newcomer's first; `## What it does` is
# for who changes Lockstep.
BEGIN {
  FS = ":.*## *"
  order = "first deploy change prove measure"
  title["first"] = "First: no AWS account, no Apple account, no Docker"
  title["deploy"] = "Deploy and operate"
  title["change"] = "Change Lockstep"
  title["prove"] = "Try to break it"
  title["measure"] = "Measure it"
}
/^[a-z-]+:.*##[a-z]* / {
  group = $0
  sub(/.*##/, "", group)
  sub(/ .*/, "", group)
  if (!(group in title)) group = "change"
  words = $0
  sub(/.*##[a-z]* /, "", words)
  lines[group] = lines[group] sprintf("  make %-13s %s\n", $1, words)
}
END {
  print "Lockstep keeps every lock screen in step with your backend: README.md says how."
  count = split(order, groups, " ")
  for (i = 1; i <= count; i++) printf "\n%s\n%s", title[groups[i]], lines[groups[i]]
}
