package media

import "github.com/tapnode/tapnode/plugin/internal/buttons"

// Codes of warnings.
const (
	warnAnimation = "media_animation_lost"
	warnNoPreview = "media_without_preview"
	warnPage      = "media_is_a_page"
	warnMisnamed  = "media_is_not_as_named"
)

func warn(m *buttons.Media, code, message string) {
	m.Warnings = append(m.Warnings, buttons.Warning{Pointer: "/mediaUrl", Code: code, Message: message})
}
