package config

import (
	"reflect"
	"strings"
)

// Words of other programs that people write where a key is unknown, with what says it
// here. They are looked for by the path of the map, then by the word.

const (
	orderHint  = "slots start when the variables they use are published, so nothing need say an order; what is to be done when a child has ended is a job: {job: NAME, of: SLOT}"
	jobHint    = "what is to be done when a child has ended is a job, an item of its own: {job: NAME, of: SLOT}"
	triesHint  = "how often a job is tried is said by tries of its service: tries: {max: 20, delay: 10s, max_delay: 10m}"
	ofHint     = "the slot whose end makes the job is named by of"
	endHint    = "a job is made once for each end: there are no copies of it"
	homeHint   = "a job runs where the child ended, unless host says otherwise"
	itemsHint  = "one job for each line that the slot writes to STREAM_API_ITEMS is said by each: item"
	runHint    = "what a job runs is its service, by its name or type: services.NAME.plugin"
	whichHint  = "which ends the program cares for it can say itself: ${of:reason} is why the child ended"
	varsHint   = "write vars, and ${slot:NAME} in the env of the service"
	doneHint   = "the exit codes with which a job is done are plugin.done of its service: done: [0, 3]"
	copiesHint = "how many instances a slot has is said by copies"
	apartHint  = "copies are kept off each other's hosts by apart: host, off each other's sites by apart: site, and spread over sites if that can be by spread: site"
	nearHint   = "a slot is placed near others if that can be by near: [dist], near where its stream comes from by near: [source]"
	eachHint   = "one instance on every host that offers the type is said by each: host"
	hostHint   = "which hosts may run a slot is said by host, by their network.labels: host: {site: ham}"
	withHint   = "what is to run on the host of another slot says so by with: with: hls"
	whereHint  = "which streams a host takes is said by stream_filter and stream_prefer of its service"
)

// chainHints are words that people write in an item of a chain.
var chainHints = map[string]string{
	"on_end":        jobHint,
	"on_exit":       jobHint,
	"on_stop":       jobHint,
	"on_success":    jobHint,
	"finally":       jobHint,
	"then":          jobHint,
	"post":          jobHint,
	"trigger":       jobHint,
	"retries":       triesHint,
	"tries":         triesHint,
	"max_tries":     triesHint,
	"attempts":      triesHint,
	"backoffLimit":  triesHint,
	"done":          doneHint,
	"of":            "of belongs to a job: write {job: NAME, of: SLOT} instead of slot",
	"replicas":      copiesHint,
	"count":         copiesHint,
	"instances":     copiesHint,
	"scale":         copiesHint,
	"daemonset":     eachHint,
	"DaemonSet":     eachHint,
	"global":        eachHint,
	"mode":          eachHint,
	"antiAffinity":  apartHint,
	"anti_affinity": apartHint,
	"topology":      apartHint,
	"close_to":      nearHint,
	"prefer":        nearHint,
	"locality":      nearHint,
	"sidecar":       withHint,
	"sidecar_of":    withHint,
	"colocate":      withHint,
	"together":      withHint,
	"beside":        withHint,
	"name":          "the slot's name is written slot",
	"service":       "which service runs it is said by type",
	"env":           varsHint,
	"environment":   varsHint,
	"params":        "parameters are vars: ${slot:NAME} in the service",
	"parameters":    "parameters are vars: ${slot:NAME} in the service",
	"after":         orderHint,
	"depends_on":    orderHint,
	"needs":         orderHint,
	"requires":      orderHint,
	"affinity":      hostHint + "; " + nearHint,
	"nodeSelector":  hostHint,
	"constraint":    hostHint,
	"constraints":   hostHint,
	"where":         hostHint,
	"labels":        hostHint,
	"placement":     hostHint,
	"resources":     "what a child may use is said by plugin.limits of its service",
	"limits":        "what a child may use is said by plugin.limits of its service",
	"healthcheck":   "a child that gives no sign of life is started anew by plugin.stall of its service",
	"restart":       "how a child is started anew is said by plugin.restart of its service",
	"capacity":      "how many slots a host takes is said by capacity of its service",
	"filter":        "which streams have the slot is said by rules of the source",
	"when":          "which streams have the slot is said by rules of the source",
	"if":            "which streams have the slot is said by rules of the source",
}

// serviceHints are words that people write in a service.
var serviceHints = map[string]string{
	"depends_on":   orderHint,
	"after":        orderHint,
	"needs":        orderHint,
	"requires":     orderHint,
	"affinity":     whereHint,
	"nodeSelector": whereHint,
	"constraint":   whereHint,
	"constraints":  whereHint,
	"retries":      triesHint,
	"max_tries":    triesHint,
	"attempts":     triesHint,
	"backoffLimit": triesHint,
	"done":         "write it below plugin, as done: [0, 3]",
	"replicas":     "how many instances a slot has is said in the chain: {slot: NAME, copies: 2}",
	"copies":       "how many instances a slot has is said in the chain: {slot: NAME, copies: 2}",
	"resources":    "what a child may use is said by plugin.limits",
	"limits":       "write it below plugin",
	"healthcheck":  "a child that gives no sign of life is started anew by plugin.stall",
	"command":      "write plugin: {name: exec, path: …, args: […]}",
	"image":        "write plugin: {name: exec, path: …, args: […]}; no container is started",
	"environment":  "write it below plugin, as env",
	"env":          "write it below plugin",
}

// jobHints are words that people write in a job.
var jobHints = map[string]string{
	"after":       ofHint,
	"on":          ofHint,
	"from":        ofHint,
	"with":        homeHint,
	"apart":       endHint,
	"spread":      endHint,
	"copies":      endHint,
	"near":        homeHint,
	"once":        "a job is always done once",
	"delay":       triesHint,
	"timeout":     "bound a job by its program: path: timeout",
	"if":          whichHint,
	"when":        whichHint,
	"retries":     triesHint,
	"tries":       triesHint,
	"max_tries":   triesHint,
	"attempts":    triesHint,
	"done":        doneHint,
	"foreach":     itemsHint,
	"items":       itemsHint,
	"each_item":   itemsHint,
	"each_file":   itemsHint,
	"env":         varsHint,
	"environment": varsHint,
	"command":     runHint,
	"path":        runHint,
	"plugin":      runHint,
}

// hinted is what to write in the place of an unknown key; empty: no idea.
func hinted(path, key string, t reflect.Type) string {
	if word, known := needless[join(path, key)]; known {
		return word
	}
	if t == reflect.TypeFor[jobItem]() {
		return jobHints[key]
	}
	if strings.HasSuffix(path, "]") && strings.Contains(path, "chain[") {
		return chainHints[key]
	}
	if parent, _, below := strings.Cut(path, "."); below && parent == "services" && strings.Count(path, ".") == 1 {
		return serviceHints[key]
	}
	return ""
}
